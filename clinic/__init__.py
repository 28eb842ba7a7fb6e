"""The reference Django project: a clinic that leaves FileMaker."""
