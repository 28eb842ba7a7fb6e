"""Decodes one file, inside a decoder child: size, orientation, date, pages, damage, thumbnail.

Two kinds of bad news are kept apart (CONTRACT B2): *damaged*, when the decoder says cleanly that the file is broken or
cut off, and *failed*, when it cannot or may not decode it (too large, encrypted, a variant that it does not know).
"""

from __future__ import annotations

import warnings

from unlade.media.messages import Decoded, Job


class Damaged(Exception):
    """The file itself is broken; the message is the reason."""


class CannotDecode(Exception):
    """The file may be fine, but we get no picture out of it; the message is the reason."""


def decode(job: Job) -> Decoded:
    """Everything there is to know about the file of `job`. Raises nothing for a bad file."""
    found = Decoded()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers warn about every oddity, and nobody reads a child's stderr
        _decode(job, found)
    return found


def _decode(job: Job, found: Decoded) -> None:
    try:
        if job.mime_type == "application/pdf":
            from unlade.media.decode_pdf import decode_pdf

            decode_pdf(job, found)
        else:
            from unlade.media.decode_picture import decode_picture

            decode_picture(job, found)
    except Damaged as error:
        found.damage = str(error)
    except CannotDecode as error:
        found.failed = str(error)
    except MemoryError:
        found.failed, found.exhausted = "decoding it takes more memory than allowed", True
    except ImportError as error:
        found.failed = f"the decoder for this type cannot be loaded ({error.name})"
