"""How fast the stores are, beside a bare echo over the same transport and beside what others offer.

`python -m bench --help` tells what can be run. Everything is measured in rounds in which all contestants take turns, so
that a slow minute of the machine hits them alike; figures are medians over the rounds, with the least and the greatest.
"""
