from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("unlade", "0009_trial"),
    ]

    operations = [
        migrations.AddField(
            model_name="item",
            name="digests",
            field=models.JSONField(
                blank=True, default=dict, help_text="of a record without files: what its row was written from, by part"
            ),
        ),
    ]
