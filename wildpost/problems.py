"""The failures a person at the keyboard can mend: printed as one line, without a traceback.

They are known by name, because no machine has every package: a station has no store, a server no detector.
"""

MENDABLE = {
    "builtins.OSError",
    "edge.outbox.OutboxError",
    "ingest.alerts.apprise_notifier.NotConfigured",
    "ingest.rules.RulesError",
    "ingest.species.SpeciesError",
    "ingest.store.port.StoreUnavailable",
    "ingest.zones.ZonesError",
    "models.evaluate.labels.BadLabels",
    "models.protocol.Unreadable",
    "models.registry.WeightsError",
    "models.train.threat.sources.BadSources",
    "pipelines.trends.BadPeriod",
    "review.options.NotLoopback",
    "wildpost.backup.CannotBackUp",
    "wildpost.backup_archive.BadArchive",
    "wildpost.broker_certificates.CertificateError",
    "wildpost.broker_folder.BrokerFolderError",
    "wildpost.demo.DemoFailed",
    "wildpost.ingest_workers.CannotShare",
    "wildpost.samples.NoSamples",
    "wildpost.settings.SettingsError",
    "wildpost.trends_command.CannotCount",
    "zoneinfo._common.ZoneInfoNotFoundError",
}


def is_mendable(error: BaseException) -> bool:
    """Tell whether the message of an error is all that its reader needs."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in MENDABLE for kind in type(error).__mro__)


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Say which extra brings a package that is not there; None where the package is ours or unknown."""
    package = (error.name or "").partition(".")[0]
    for extra, names in EXTRAS.items():
        if package in names:
            return f"{package} is not installed; this needs wildpost[{extra}] (in a clone: uv sync --extra {extra})"
    return None


EXTRAS = {
    "server": {
        "duckdb",
        "influxdb_client",
        "sqlalchemy",
        "fastapi",
        "uvicorn",
        "jinja2",
        "plotly",
        "prometheus_client",
        "babel",
        "shapely",
        "multipart",
        "apprise",
        "astral",
        "obstore",
    },
    "station": {
        "cv2",
        "openvino",
        "onnxruntime",
        "ai_edge_litert",
        "soundfile",
        "soxr",
        "sounddevice",
        "psutil",
        "numpy",
    },
    "train": {"torch", "torchvision", "ultralytics", "librosa", "onnx"},
}
