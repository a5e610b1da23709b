"""Trains networks for real, in torch alone.

Lightning and Accelerate were weighed. What they would save is a loop of forty lines; what is needed beyond it, to go on
after a kill to exactly the same result and to stop and resume many networks in turn, they do not do, and each would be
another dependency of a fresh installation. Networks of a search are small and many: so each is trained by one thread or
on one GPU, and as many side by side as there are cores or GPUs, by one process each. A batch is never spread over
several GPUs: DataParallel normalises each part of it alone, so what comes out would depend on how many there are. Where
fewer networks are left than GPUs, some of these are idle.
"""

from llmnas_mcp.training.campaign import Ask, Campaign, Progress
from llmnas_mcp.training.halving import Rung, cost, plan
from llmnas_mcp.training.recipe import Recipe, recipe_for
from llmnas_mcp.training.record import Trained

__all__ = ["Ask", "Campaign", "Progress", "Recipe", "Rung", "Trained", "cost", "plan", "recipe_for"]
