"""The file `synth.h5`: one self-describing HDF5 file of labelled views, read at random by many workers.

Written as one shard a scene, each finished by an atomic rename, then merged by copying raw chunks.
The modules `store_*` hold the parts; this one is their face.
"""

from scenelift.datasets.store_describe import ChannelStorage, describe_channels
from scenelift.datasets.store_merge import merge_shards
from scenelift.datasets.store_read import Reader, shard_is_complete
from scenelift.datasets.store_schema import (
    CHANNELS,
    SCHEMA_VERSION,
    SPLITS,
    Channel,
    Header,
    Instance,
    Row,
    SceneRecord,
    StoreError,
    hash_content,
)
from scenelift.datasets.store_verify import verify
from scenelift.datasets.store_write import remove_leftovers, write_shard

__all__ = [
    "CHANNELS",
    "SCHEMA_VERSION",
    "SPLITS",
    "Channel",
    "ChannelStorage",
    "Header",
    "Instance",
    "Reader",
    "Row",
    "SceneRecord",
    "StoreError",
    "describe_channels",
    "hash_content",
    "merge_shards",
    "remove_leftovers",
    "shard_is_complete",
    "verify",
    "write_shard",
]
