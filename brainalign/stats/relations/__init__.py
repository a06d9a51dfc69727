"""Relations across models: correlation given covariates, nulls that respect families, contrasts, and their verdict."""

from brainalign.stats.relations.change import Change, change_given
from brainalign.stats.relations.curve import RelationCurve, relation_curve
from brainalign.stats.relations.exchange import Exchange
from brainalign.stats.relations.relation import Level, Relation, relation_of
from brainalign.stats.relations.sign_flip import SignFlip, sign_flip
from brainalign.stats.relations.verdict import Check, Verdict, verdict

__all__ = [
    "Change",
    "Check",
    "Exchange",
    "Level",
    "Relation",
    "RelationCurve",
    "SignFlip",
    "Verdict",
    "change_given",
    "relation_curve",
    "relation_of",
    "sign_flip",
    "verdict",
]
