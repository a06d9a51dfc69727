"""Result files become a leaderboard: one self-contained page, and the same table as CSV, parquet and JSON."""

from brainalign.leaderboard.build import LeaderboardFiles, build_leaderboard
from brainalign.leaderboard.diff import diff_leaderboards

__all__ = ["LeaderboardFiles", "build_leaderboard", "diff_leaderboards"]
