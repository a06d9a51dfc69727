"""The main job from images to a leaderboard, offline, on real networks and a simulated cortex."""

from brainalign.demo.report import DemoReport
from brainalign.demo.run import MODELS, run_demo

__all__ = ["MODELS", "DemoReport", "run_demo"]
