"""Your files in the object store, from a notebook.

>>> import naas_storage
>>> naas_storage.folders()
{'alice': 'alice', 'scratch': 'scratch', 'scratch-alice': 'scratch/alice'}
>>> fs = naas_storage.filesystem()      # fsspec: fs.ls("alice"), fs.open("alice/x.txt"), pandas.read_csv(..., filesystem=fs)
>>> s3 = naas_storage.session().client("s3")    # boto3: s3.list_objects_v2(Bucket="alice")

Both renew their credentials by themselves for as long as the server runs; no key is ever written in a notebook. They work with and
without mounted folders.
"""

from naas_storage.connect import filesystem, folders, session

__all__ = ["filesystem", "folders", "session"]
