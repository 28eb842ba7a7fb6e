"""What needs a person: a list that can be worked off to zero, and the means to do so. Asks no FileMaker."""
