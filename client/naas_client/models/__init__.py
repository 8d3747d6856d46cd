"""Everything that crosses a process border as a typed document.

Times are aware UTC datetimes, durations seconds, sizes bytes. Field names are the field's standard terms.
"""

from naas_client.models.backups import BackupProgress, BackupRestore, BackupRun, BackupSettings, BackupStatus
from naas_client.models.base import Document, Page
from naas_client.models.buckets import Bucket, NewBucket, ObjectPage, PresignedLink, StoredObject
from naas_client.models.gpus import DeviceId, GpuDevice, GpuDevices, GpuLease, GpuRequest, GpuState, NodeName
from naas_client.models.images import (
    ImagePage,
    ImageTag,
    NewRegistryLogin,
    RegistryCredentials,
    RegistryImage,
    RegistryLogin,
    Scan,
    TagPage,
)
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
    "Claims",
    "ClientConfiguration",
    "DeviceId",
    "Document",
    "Event",
    "Folder",
    "FolderState",
    "FolderStatus",
    "GpuDevice",
    "GpuDevices",
    "GpuLease",
    "GpuRequest",
    "GpuState",
    "Health",
    "Identity",
    "ImagePage",
    "ImageTag",
    "MadeS3Key",
    "Me",
    "NewBucket",
    "NewRegistryLogin",
    "NewS3Key",
    "NodeName",
    "ObjectPage",
    "OwnS3Keys",
    "Page",
    "Part",
    "PresignedLink",
    "RegistryCredentials",
    "RegistryImage",
    "RegistryLogin",
    "S3Credentials",
    "S3Key",
    "Scan",
    "SignIn",
    "StopReason",
    "StoragePlan",
    "StorageStatus",
    "StoredObject",
    "TagPage",
    "Upload",
    "Usage",
]
