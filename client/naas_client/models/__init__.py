"""Everything that crosses a process border as a typed document.

Times are aware UTC datetimes, durations seconds, sizes bytes. Field names are the field's standard terms.
"""

from naas_client.models.backups import BackupProgress, BackupRestore, BackupRun, BackupSettings, BackupStatus
from naas_client.models.base import Document, Page
from naas_client.models.buckets import Bucket, NewBucket, ObjectPage, PresignedLink, StoredObject
from naas_client.models.catalogue import (
    CatalogueEntry,
    CatalogueForm,
    CatalogueOutput,
    CatalogueProblem,
    CatalogueVariant,
    CheckedInputs,
    CheckInputs,
    FilledInput,
    FormAlternative,
    FormField,
    FormOption,
    FormTab,
    InputProblem,
    Widget,
)
from naas_client.models.gpus import DeviceId, GpuDevice, GpuDevices, GpuLease, GpuRequest, GpuState, NodeName
from naas_client.models.operation import AuditRow, Event, Health, Part, StopReason
from naas_client.models.people import AccessToken, Capability, Claims, ClientConfiguration, Identity, Me, SignIn
from naas_client.models.s3_keys import MadeS3Key, NewS3Key, OwnS3Keys, S3Key
from naas_client.models.storage import (
    Folder,
    FolderState,
    FolderStatus,
    S3Credentials,
    StoragePlan,
    StorageStatus,
    Upload,
    Usage,
)

__all__ = [
    "AccessToken",
    "AuditRow",
    "BackupProgress",
    "BackupRestore",
    "BackupRun",
    "BackupSettings",
    "BackupStatus",
    "Bucket",
    "Capability",
    "CatalogueEntry",
    "CatalogueForm",
    "CatalogueOutput",
    "CatalogueProblem",
    "CatalogueVariant",
    "CheckInputs",
    "CheckedInputs",
    "Claims",
    "ClientConfiguration",
    "DeviceId",
    "Document",
    "Event",
    "FilledInput",
    "Folder",
    "FolderState",
    "FolderStatus",
    "FormAlternative",
    "FormField",
    "FormOption",
    "FormTab",
    "GpuDevice",
    "GpuDevices",
    "GpuLease",
    "GpuRequest",
    "GpuState",
    "Health",
    "Identity",
    "InputProblem",
    "MadeS3Key",
    "Me",
    "NewBucket",
    "NewS3Key",
    "NodeName",
    "ObjectPage",
    "OwnS3Keys",
    "Page",
    "Part",
    "PresignedLink",
    "S3Credentials",
    "S3Key",
    "SignIn",
    "StopReason",
    "StoragePlan",
    "StorageStatus",
    "StoredObject",
    "Upload",
    "Usage",
    "Widget",
]
