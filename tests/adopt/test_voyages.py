"""What comes after the first import, in the project of docs/adopt.md: nothing there is as in the clinic.

Each story is one process that knows the project: the commands are called one after the other, with what happens between.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adopt.conftest import IMAGES
from tests.adopt.page import ROOT, Project
from tests.voyage.harness import name_of

PRELUDE = f"""
import json, sys, urllib.request
sys.path.insert(0, {str(ROOT)!r})
from io import StringIO
from django.core.management import call_command
from gallery.models import *
from people.models import *
from unlade.ledger.models import Item, Source

def run(*arguments):
    out = StringIO()
    try:
        call_command(*arguments, '--json', stdout=out, stderr=StringIO(), verbosity=0)
    except SystemExit:
        pass
    return json.loads(out.getvalue().strip().splitlines()[-1])

def host(path, method='GET', body=None):
    from django.conf import settings
    import os
    request = urllib.request.Request(os.environ['FILEMAKER_URL'] + '/-/' + path, method=method, data=body)
    return urllib.request.urlopen(request).read()

def fault(do):
    host('faults', 'PUT', json.dumps([{{'on': 'records', 'times': 1, 'do': do}}]).encode())

def downloads():
    return json.loads(host('stats'))['requests']['container']

def good(photo):
    import hashlib
    with photo.file.open() as file:
        return hashlib.sha256(file.read()).hexdigest() == photo.digest

def photo(number):
    return Photo.objects.get(title=f'IMG {{number}}.jpg')

told = {{}}
"""


def play(project: Project, story: str) -> dict[str, Any]:
    """What the story left in `told`. The host of a copy is fresh and has another address, with the same data."""
    said = project.ask(f"{PRELUDE}\n{story}\nprint(json.dumps(told, default=str))")
    told: dict[str, Any] = json.loads(said.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def edited(project_maker: Any) -> dict[str, Any]:
    """Edits, then a replaced file, in one project."""
    story = """
before = sorted(str(p.pk) for p in Photo.objects.all())
fault({'touch': 2})
told['changed'] = run('import_filemaker', 'photos', '--changed') | {'downloads': downloads()}
told['same_rows'] = before == sorted(str(p.pk) for p in Photo.objects.all())
fault({'replace': 1})
told['refetched'] = run('import_filemaker', 'photos', '--refetch-changed') | {'downloads': downloads()}
told['moved'] = [photo(3).file.name, good(photo(3)), str(photo(3).pk) in before]  # 1 and 2 were only touched
told['verify'] = run('filemaker_verify', 'photos', '--read')
"""
    return play(project_maker(), story)


def test_edits_refresh_rows_in_place_and_fetch_nothing(edited: dict[str, Any]) -> None:
    assert (edited["changed"]["outcome"], edited["changed"]["downloads"]) == ("done", 0)
    assert edited["same_rows"]


def test_a_replaced_file_gets_its_own_key_and_the_row_moves_to_it(edited: dict[str, Any]) -> None:
    assert edited["refetched"]["outcome"] == "done"
    name, good, same_row = edited["moved"]
    assert name.startswith("people/") and "~" in name and good and same_row
    assert edited["verify"]["exit"] == 0


def test_what_is_wrong_with_generic_links_is_found_and_mended(project_maker: Any) -> None:
    told = play(
        project_maker(),
        f"""
a = photo(1); a.owner = Patient.objects.get(name='P3'); a.save()  # somebody else's
b = photo(2); b.owner = Member.objects.create(username='m'); b.save()  # no patient at all
c = photo(3); c.file.name = photo(4).file.name; c.save()  # another file
photo(8).delete()
told['verify'] = json.dumps(run('filemaker_verify', 'photos'))
Patient.objects.filter(name='P1').delete()  # a GenericForeignKey keeps naming it
told['relink'] = run('relink_filemaker', 'photos')
told['again'] = run('import_filemaker', 'photos', '--only', {name_of("image", 1)!r}, '--retry-failed')
""",
    )
    assert all(kind in told["verify"] for kind in ("row_owner", "row_key", "row_missing"))
    # Images 1 and 5 were P1's. The first was given to P3 behind the ledger's back, so it is not alone.
    assert told["relink"]["unlinked"] == 1 and told["relink"]["alone"]["owner_missing"] == 1
    assert told["again"]["outcome"] == "done"


def test_rows_from_metadata_alone_and_thumbnails_anew(project_maker: Any) -> None:
    told = play(
        project_maker(),
        """
import csv
rows = [[i.record_id, i.identity, i.owner_ref, f'IMG {i.record_id}.jpg', '06/06/2021']
        for i in Item.objects.filter(source__name='photos')]
with open('listed.csv', 'w', newline='') as file:
    csv.writer(file).writerows([['recordId', 'id', 'id_Contact', 'Name of file', 'date'], *rows])
Photo.objects.all().delete()
Source.objects.filter(name='photos').delete()
told['listed'] = run('import_filemaker_metadata_only', 'photos', '--metadata', 'listed.csv', '--prefix', 'people',
                     '--match', 'id') | {'downloads': downloads()}
told['rows'] = [[good(p), p.width, bool(p.preview)] for p in Photo.objects.exclude(file='')]
told['verify'] = run('filemaker_verify', 'photos', '--read')
Item.objects.filter(source__name='photos').update(thumbnail_key='')
Photo.objects.update(preview='')
run('make_thumbnails', 'photos')
told['without'] = Photo.objects.filter(preview='').count()
""",
    )
    assert told["listed"]["downloads"] == 0
    assert len(told["rows"]) >= IMAGES - 1 and all(row == [True, 64, True] for row in told["rows"])
    assert told["verify"]["exit"] == 0 and told["without"] == 0


def test_a_person_puts_right_whose_a_photo_is(project_maker: Any) -> None:
    told = play(
        project_maker(),
        """
chosen = Patient.objects.get(name='P3').data['filemaker_id']
told['chosen'] = chosen
told['reassigned'] = run('reassign_filemaker', 'photos', '--items', '1', '--to', chosen, '--reason', 'hers', '--rekey')
told['photo'] = [photo(1).owner.name, photo(1).file.name, good(photo(1)), photo(1).preview.open().read(2).hex()]
told['verify'] = run('filemaker_verify', 'photos')
""",
    )
    owner, name, good, start = told["photo"]
    assert owner == "P3" and good and start == "ffd8"
    assert name.startswith(f"people/{told['chosen'].upper()}/photos/")
    assert told["verify"]["exit"] == 0
