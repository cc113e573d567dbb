"""What is known of packages: the modules that they bring, and what they require."""

import importlib.metadata
from functools import cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

# Modules to the packages that bring them, where that has another name and Kale does not know it.
WELL_KNOWN = {
    "community": "python-louvain",
    "dns": "dnspython",
    "docx": "python-docx",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "github": "pygithub",
    "grpc": "grpcio",
    "hydra": "hydra-core",
    "jose": "python-jose",
    "ldap": "python-ldap",
    "mpl_toolkits": "matplotlib",
    "nacl": "pynacl",
    "pptx": "python-pptx",
    "pywt": "pywavelets",
    "ruamel": "ruamel.yaml",
    "skopt": "scikit-optimize",
    "slugify": "python-slugify",
    "snappy": "python-snappy",
    "socks": "pysocks",
    "talib": "ta-lib",
    "telegram": "python-telegram-bot",
    "umap": "umap-learn",
    "websocket": "websocket-client",
}

# Modules that come with the package of their name; said for machines that do not have it.
NAMED_AS_THEIR_PACKAGE = frozenset(
    """
    accelerate aiohttp albumentations altair apache_beam autokeras bokeh boto3 botocore catboost
    category_encoders cloudpickle cupy cvxpy dask datasets deepspeed diffusers dill duckdb
    einops emoji evaluate fastai fastapi fastparquet feast fire flask folium fsspec gensim
    geopandas gluonts gradio h5py holidays hyperopt imageio imblearn implicit ipywidgets jax
    jaxlib joblib keras keras_tuner kornia langchain librosa lightgbm lightning lime llvmlite
    lxml matplotlib missingno mlflow mlxtend nibabel nltk numba numpy onnx onnxruntime openai
    openpyxl optax optuna pandas pandera peft pillow pingouin plotly polars prophet psutil
    pyarrow pycaret pydantic pydicom pymc pymongo pyspark pytest pytorch_lightning
    pytorch_tabnet ray redis requests rich s3fs sacrebleu safetensors scipy seaborn
    segmentation_models sentence_transformers sentencepiece shap shapely simpletransformers
    sktime soundfile spacy sqlalchemy statsmodels streamlit sympy tabulate tensorboard
    tensorflow tensorflow_addons tensorflow_data_validation tensorflow_datasets tensorflow_hub
    tensorflow_model_analysis tensorflow_probability tensorflow_text tensorflow_transform
    textblob tf_keras tfx tiktoken timm tokenizers torch torchaudio torchmetrics torchtext
    torchvision tqdm transformers trl tsfresh typer ultralytics wandb wget wordcloud xarray
    xgboost xlrd yfinance
    """.split()  # noqa: SIM905
)


@cache
def list_required(packages: frozenset[str]) -> frozenset[str]:
    """The packages and all that they require, as far as they are installed here."""
    found: set[str] = set()
    waiting = set(packages)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= _requirements_of(name) - found
    return frozenset(found)


@cache
def _requirements_of(package: str) -> frozenset[str]:
    try:
        texts = importlib.metadata.requires(package) or []
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return frozenset()
    return frozenset(name for text in texts if (name := _name_of(text)))


def _name_of(text: str) -> str | None:
    """The package of a requirement; None where it is for an extra or another machine."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    return canonicalize_name(requirement.name)
