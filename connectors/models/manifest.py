"""Language models. Which there are a deployment's file says (`connectors.models.file`): there is no one address.

Each backend that wants a key has its own at `models/<name>`. They are read by steps of the models worker alone.
"""

from typing import Final

from connectors.provider import Credential, Maker, Provider, Secret, Twin

KEYS: Final = Secret(path="models/+", holds="the key of a backend of language models, by the backend's name")
REQUEST: Final = Credential(name="models-request", secret=KEYS, purpose="asks a language model", made_by=Maker.MODELS)

MODELS: Final = Provider(
    name="models", title="Language models", credentials=(REQUEST,), twin=Twin(port=8311, in_file=True)
)
