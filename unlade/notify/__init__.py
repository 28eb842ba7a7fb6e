"""Tells people what they must know, once, after a run: by mail and by webhook; and an outside monitor after every run.

after_run(ended, rig)            at the end of a run
after_error(name, error, rig)    when a run could not even be opened
"""

from unlade.notify.telling import after_error, after_run

__all__ = ["after_error", "after_run"]
