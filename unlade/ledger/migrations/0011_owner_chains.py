from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('unlade', '0010_record_digests'),
    ]

    operations = [
        migrations.AddField(
            model_name='item',
            name='owner_refs',
            field=models.JSONField(blank=True, default=list, help_text='one for each field, where the declaration names several; else empty'),
        ),
        migrations.AddField(
            model_name='item',
            name='owner_in_key',
            field=models.CharField(blank=True, help_text='owner reference that its key has since a person had it moved there', max_length=255),
        ),
    ]
