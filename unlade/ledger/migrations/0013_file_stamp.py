from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("unlade", "0012_comparing")]

    operations = [
        migrations.AddField(
            model_name="item",
            name="file_stamp",
            field=models.CharField(
                blank=True,
                help_text="size and time of the file of an export that was taken; empty: not known",
                max_length=64,
            ),
        ),
    ]
