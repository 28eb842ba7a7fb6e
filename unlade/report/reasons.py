"""What each reason code means to a person, and what to do about it. One table for status, summaries and worklists.

`remedy` may hold `{again}`: the command that tries failed items of that source once more.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code in words. `person`: somebody must act; otherwise time or a later run heals it."""

    sentence: str
    remedy: str
    person: bool = False


_RETRY = "Nothing: it is tried again by itself."

REASONS: dict[str, Reason] = {
    # Final answers of the source about one file.
    "missing": Reason(
        "The host says that the file is not there.",
        "Open the record in FileMaker. If the picture shows there, put it in anew; then `{again}`.",
        person=True,
    ),
    "reference_only": Reason(
        "FileMaker stores only a path to the file.",
        "Find the file at that path, insert it into the container (not as a reference); then `{again}`.",
        person=True,
    ),
    "not_a_file": Reason(
        "A web page, a message or nothing came where a file should be.",
        "Open the record in FileMaker and look at the container; then `{again}`.",
        person=True,
    ),
    "unreadable": Reason(
        "The container holds something that is no link to a file.",
        "Open the record in FileMaker, put the file in anew; then `{again}`.",
        person=True,
    ),
    "object_lost": Reason(
        "The database file does not hold this picture any more.",
        "Take it over the API or from an earlier copy of the file, or accept that it is lost.",
        person=True,
    ),
    "outside_missing": Reason(
        "The picture lies outside the database file, and not where the file says.",
        "Put the container folder beside the file, or make a self-contained copy; then `{again}`.",
        person=True,
    ),
    "secure_storage": Reason(
        "The picture lies in FileMaker's secure storage, which only FileMaker can read.",
        "Make a self-contained copy of the database file, or take it over the API; then `{again}`.",
        person=True,
    ),
    "changing": Reason(
        "The file was changed while it was taken.",
        "Nothing: let the export come to its end, the next run takes it.",
    ),
    "record_gone": Reason(
        "The record is no longer in FileMaker.",
        "Nothing, if it was deleted on purpose; the next run counts it as gone.",
        person=True,
    ),
    "key_collision": Reason(
        "Another item's file lies at the place where this one should go.",
        "Let the declared key hold {identity}, or move the other file; then `{again}`.",
        person=True,
    ),
    "bad_key": Reason(
        "The declaration gives no place in the store that can be used for this file.",
        "Correct the declared key, or the value that it takes from the record; then `{again}`.",
        person=True,
    ),
    "duplicate_identity": Reason(
        "Two records carry the same identity.",
        "Give one of them its own id in FileMaker; then `{again}`.",
        person=True,
    ),
    "no_identity": Reason(
        "The record has no identity.",
        "Give it an id in FileMaker; then `{again}`.",
        person=True,
    ),
    "too_large": Reason(
        "The file is larger than a limit that is set.",
        "Raise --max-bytes or the limit in the settings; then run again.",
        person=True,
    ),
    # Content.
    "damaged": Reason(
        "The file is stored, but it is damaged.",
        "Look for a good copy and put it into FileMaker; then `{again}`.",
        person=True,
    ),
    "truncated": Reason(
        "The file ended before its announced length.",
        "If that stays so after another try, the file is damaged in FileMaker: put it in anew.",
    ),
    "zero_bytes": Reason(
        "The file has no bytes.",
        "Look for a good copy and put it into FileMaker; then `{again}`.",
        person=True,
    ),
    # Owners.
    "owner_missing": Reason(
        "The owner that the record names is not here yet.",
        "Import the owners first; the files are linked afterwards, nothing is fetched again.",
    ),
    "ambiguous": Reason(
        "Two or more owners fit; nobody guesses between them.",
        "Merge or correct the owners with the same id, then link again.",
        person=True,
    ),
    "no_owner_reference": Reason(
        "The record names no owner.",
        "Enter the owner's id in FileMaker and import with changed records, or accept it as it is.",
        person=True,
    ),
    "chosen_missing": Reason(
        "The owner that a person chose for it was deleted here.",
        "Bring the owner back and link again, or choose another one with reassign_filemaker_images or _documents.",
        person=True,
    ),
    "row_missing": Reason(
        "The project's own row of this file was deleted.",
        "Run again with --retry-failed, or accept it if it was deleted on purpose.",
        person=True,
    ),
    "not_wanted": Reason("The declaration says that this record is not cargo.", "Nothing."),
    # What may work later.
    "gateway": Reason("The web server in front of FileMaker could not reach it (502, 503, 504).", _RETRY),
    "connection": Reason("The connection was refused or broke.", _RETRY),
    "timeout": Reason("The host did not answer in time.", _RETRY),
    "busy": Reason("The host had no place for another request.", _RETRY),
    "unauthorised": Reason("The host refused the request although the session was new.", _RETRY),
    "stale_link": Reason("The link had died before it was used.", _RETRY),
    "own_network": Reason("This machine had no network, or slept.", _RETRY),
    "host_trouble": Reason("The host struggled.", _RETRY),
    "transient": Reason("It did not work this time.", _RETRY),
    "store": Reason(
        "The store could not take the file.", "The bytes wait in the spool; run again when the store works."
    ),
    "spool": Reason("The file could not be kept on the local disk.", "Make room for the spool; then run again."),
    "asked_again": Reason("A person asked for another try.", _RETRY),
    "record_failed": Reason(
        "The file is stored, but its row could not be written.",
        "Read the item's detail, mend the declaration's `record`; then `{again}`. Nothing is fetched again.",
        person=True,
    ),
    "internal": Reason(
        "An error in unlade itself; nothing is lost.",
        "The log has the trace: please report it. Then `{again}`.",
        person=True,
    ),
    "mark_refused": Reason(
        "FileMaker does not take the marker; the file itself is safe.",
        "Check the marker field's type with filemaker_doctor, and that the account may change it.",
        person=True,
    ),
    # Exports.
    "file_missing": Reason(
        "The export has no file for this record.",
        "Run the export script again in the same run, or look for the file; then import the folder again.",
        person=True,
    ),
    "line_missing": Reason(
        "The manifest has no line for this record's field: the script ended early.",
        "Run the export script again in the same run; then import the folder again.",
        person=True,
    ),
    "export_error": Reason(
        "The export script could not write the file.",
        "Run the script again; what fails again can be exported by hand, or fetched over the Data API.",
        person=True,
    ),
    "too_big": Reason(
        "The file is too large for the export script's main variant (64 MB).",
        "Export with `filemaker_export_script --variant export-field`, or fetch it over the Data API.",
        person=True,
    ),
    "not_exported": Reason(
        "This field was not exported.",
        "Export with `filemaker_export_script --all-fields`, or fetch it over the Data API.",
        person=True,
    ),
    "two_files": Reason(
        "Two or more files fit this record.",
        "Look which one is right, take the others out of the folder; then import it again.",
        person=True,
    ),
    "ambiguous_file": Reason(
        "The only file that fits this record fits another one too.",
        "Say what names mean with --match record or --match id; then import the folder again.",
        person=True,
    ),
    "shared_file": Reason(
        "Two records name one file: on this disk one of them has overwritten the other.",
        "Export again onto a disk that keeps case and accents apart; then import the folder again.",
        person=True,
    ),
    "wrong_owner": Reason(
        "The record and the folder of its file name different owners.",
        "Look in FileMaker whose it is; correct the folder or the metadata, then import again.",
        person=True,
    ),
    "unreadable_file": Reason(
        "The file in the folder cannot be read.",
        "Give this account the right to read it, or look at the disk; then import the folder again.",
        person=True,
    ),
    "error": Reason("Something went wrong with this item.", "Read the item's detail; then `{again}`.", person=True),
}


def reason(code: str) -> Reason:
    """The words for `code`; for a code that nobody wrote down, the code itself in words."""
    known = REASONS.get(code)
    if known:
        return known
    words = code.replace("_", " ").strip() or "no reason was written down"
    return Reason(words[:1].upper() + words[1:] + ".", "Read the items' detail; then `{again}`.", person=True)


def remedy(code: str, again: str) -> str:
    """What to do about `code`; `again` is the command that tries failed items once more."""
    return reason(code).remedy.replace("{again}", again)
