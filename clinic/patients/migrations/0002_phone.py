import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Phone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("filemaker_id", models.CharField(max_length=64, unique=True)),
                ("kind", models.CharField(blank=True, max_length=40)),
                ("number", models.CharField(blank=True, max_length=60)),
                ("gone_at", models.DateTimeField(blank=True, null=True)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="phones", to="patients.patient"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
    ]
