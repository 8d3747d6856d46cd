"""Work on buckets and objects as a person does: what the Buckets tab and the ``%storage`` magic call.

Everything here is synchronous boto3 and belongs in a thread. Errors are `NaasError` with the store's cause in a sentence.
"""

from naas_storage.buckets.service import Buckets
from naas_storage.buckets.transfer import Download, Upload

__all__ = ["Buckets", "Download", "Upload"]
