"""The addresses of sessions that live were known before; they stay known."""

from ipaddress import ip_address, ip_network

from django.db import migrations

MOST_KNOWN = 50
KINDS = ("myapps", "mypbx")


def network_of(address):
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    if found.version == 4:
        return str(found)
    return str(ip_network((int(found) >> 64 << 64, 64)).network_address)


def know(apps, schema_editor):
    sessions = apps.get_model("usersessions", "UserSession").objects.order_by("-last_seen_at")
    KnownAddress = apps.get_model("signed_in_sessions", "KnownAddress")
    known = {}
    for user, address, at, data in sessions.values_list(
        "user_id", "ip", "last_seen_at", "data"
    ).iterator():
        kind = (data or {}).get("kind")
        if not address or kind not in KINDS:
            continue
        of_user = known.setdefault((user, kind), {})
        if len(of_user) < MOST_KNOWN:
            of_user.setdefault(network_of(address), (at, bool(data.get("approver"))))
    rows = (
        KnownAddress(
            user_id=user, kind=kind, address=address, last_success_at=at, is_approved=approved
        )
        for (user, kind), of_user in known.items()
        for address, (at, approved) in of_user.items()
    )
    KnownAddress.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)


class Migration(migrations.Migration):

    dependencies = [
        ("signed_in_sessions", "0003_known_addresses_and_failure_counts"),
        ("usersessions", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(know, migrations.RunPython.noop),
    ]
