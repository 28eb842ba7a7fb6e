from unlade import DateField, ModelImport, Owner

PATIENT = Owner("id_Contact", "people.Patient", match="data__filemaker_id")


class PhotoImport(ModelImport):
    name = "photos"
    layout = "API_Images"
    identity = "id"
    containers = ["image_Full", "image_Ex_large", "image_large"]  # the best first
    owner, owner_column = PATIENT, "owner"
    taken_on = DateField("date")
    original_name = "Name of file"
    key = "people/{owner}/photos/{identity}{ext}"
    model, match = "gallery.Photo", "source_id"
    columns = {"file": "key", "preview": "thumbnail_key", "taken": "day", "title": "original_name",
               "size": "size", "digest": "sha256", "source": "metadata"}  # fmt: skip


class PaperImport(ModelImport):
    name = "papers"
    layout = "API_Papers"
    containers = ["front", "back"]
    each = True  # a row for each side
    owner, owner_column = PATIENT, "owner"
    category = "Kind"
    key = "people/{owner}/papers/{identity}-{field}{ext}"
    model, match = "gallery.Paper", "source_id"
    columns = {"file": "key", "side": "field", "kind": "category", "digest": "sha256"}
