"""`python -m training`"""

from training.cli import train

train(prog_name="python -m training")
