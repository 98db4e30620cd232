from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    dependencies = [
        ("mfa", "0003_authenticator_type_uniq"),
        ("approval", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="loginsession",
            name="factor",
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="mfa.authenticator", verbose_name="second factor"),
        ),
        migrations.AddIndex(
            model_name="loginsession",
            index=models.Index(condition=models.Q(("factor__isnull", False)), fields=["factor"], name="login_by_factor"),
        ),
        migrations.AlterField(
            model_name="loginsession",
            name="approver",
            field=models.CharField(blank=True, choices=[("email", "E-mail link"), ("session", "Existing session"), ("factor", "Passkey or one-time code"), ("unapproved", "Session that nobody approved")], max_length=10, verbose_name="decided by"),
        ),
    ]
