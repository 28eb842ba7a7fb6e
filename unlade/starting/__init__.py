"""`startimport`: a first declaration from what a layout or a table says of itself, for a person to go on with.

`reading` asks the host (or a database file), `guessing` finds out what is what, `models` looks at the project's own
models, `writing` makes a module of it. Everything that is a guess says so in the module.
"""

from unlade.starting.guessing import Guess, guess
from unlade.starting.models import RowsGuess, guess_owner, guess_rows
from unlade.starting.reading import Seen, Sheet, from_file, from_host
from unlade.starting.writing import module_text

__all__ = [
    "Guess",
    "RowsGuess",
    "Seen",
    "Sheet",
    "from_file",
    "from_host",
    "guess",
    "guess_owner",
    "guess_rows",
    "module_text",
]
