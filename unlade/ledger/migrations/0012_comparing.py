from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("unlade", "0011_owner_chains")]

    operations = [
        migrations.AddField(
            model_name="source",
            name="comparing",
            field=models.JSONField(
                blank=True, default=dict, help_text="how far an unfinished comparison with a database file is"
            ),
        ),
    ]
