"""Tokens end with their grant, which only Django has to know."""

from django.db import migrations, models

import pbxsite.gateway.openid.models


class Migration(migrations.Migration):

    dependencies = [
        ('openid', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='grantedtoken',
            name='grant',
            field=models.ForeignKey(on_delete=pbxsite.gateway.openid.models.cascade_to_tokens, related_name='tokens', to='openid.grant'),
        ),
    ]
