from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    dependencies = [
        ("mfa", "0003_authenticator_type_uniq"),
        ("mail", "0003_group_of_operators"),
        ("signed_in_sessions", "0001_find_sessions_by_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="FactorBinding",
            fields=[
                ("factor", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="binding", serialize=False, to="mfa.authenticator")),
                ("approver", models.CharField(blank=True, choices=[("email", "E-mail link"), ("session", "Existing session"), ("factor", "Passkey or one-time code"), ("rescue", "Rescue link")], max_length=10, verbose_name="approved by")),
                ("approved_at", models.DateTimeField(blank=True, null=True, verbose_name="approved")),
            ],
        ),
        migrations.CreateModel(
            name="FactorMail",
            fields=[
                ("mail", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="factor_mail", serialize=False, to="mail.outgoingemail")),
                ("change", models.CharField(blank=True, choices=[("added", "Added"), ("removed", "Removed"), ("renewed", "Renewed")], max_length=10)),
                ("type", models.CharField(blank=True, choices=[("recovery_codes", "Recovery codes"), ("totp", "TOTP Authenticator"), ("webauthn", "WebAuthn")], max_length=20)),
                ("address", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.AddConstraint(
            model_name="factorbinding",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approved_at", None), ("approver", "")),
                    models.Q(("approved_at__isnull", False), ("approver__in", ["email", "session", "factor", "rescue"])),
                    _connector="OR",
                ),
                name="factor_counts_by_a_known_approver",
            ),
        ),
        migrations.AddConstraint(
            model_name="factormail",
            constraint=models.CheckConstraint(
                condition=models.Q(("change__in", ["", "added", "removed", "renewed"])),
                name="factor_mail_tells_of_a_known_change",
            ),
        ),
    ]
