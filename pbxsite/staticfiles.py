"""The files for browsers, under names that change with their content."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Scripts import each other under such names too, not a former release's."""

    support_js_module_import_aggregation = True
