"""What well-known calls give: the kinds of values, of which Kale cannot save some.

Each of those was given to Kale 2.3, to be saved and loaded (kale/marshal/backends.py).
"""

ENDINGS = PANDAS, NUMPY, SKLEARN, FUNCTION, PLAIN = "pdpkl", "npy", "joblib", "pyfn", "dillpkl"

# What cannot go from step to step, and why. Each was saved and loaded by Kale 2.3.
GROUPS = "a groupby object"
GENERATOR = "a generator"
RANDOM = "a random generator of NumPy"
MASKED = "a masked array"
CONNECTION = "a connection"
POOL = "a pool of workers"
FILE = "an open file"
MATCH = "a match of a regular expression"
OBJECTS = "an array of Python objects"
AXES = "an array of axes"
NO_ARRAY = "an object of NumPy that is no array"
# Saved as the plain arrays that they are made of, and loaded as such.
MATRIX = "a matrix of NumPy"
POLYNOMIAL = "a polynomial of NumPy"
RECORDS = "a record array of NumPy"
KERAS_PART = "a part of a Keras model"
HISTORY = "the History of a Keras model"
TF_DATA = "a tf.data.Dataset"
HASH = "a hash that is being computed"
FUTURE = "the future of a pool"
UNIQUE = "an object that there is once in a process"
# What Kale passes on as a copy that has no part in what the original goes on to do.
LOCK = "a lock"
ITERATOR = "an iterator"
DRAWS = "a random generator"
CANNOT_TRAVEL = (
    *(GROUPS, GENERATOR, RANDOM, MASKED, CONNECTION, POOL, FILE, HISTORY, TF_DATA, MATCH),
    *(OBJECTS, AXES, NO_ARRAY, MATRIX, POLYNOMIAL, RECORDS, KERAS_PART, UNIQUE, FUTURE, HASH),
)

CALLS = {
    "open": FILE,
    "gzip.open": FILE,
    "bz2.open": FILE,
    "lzma.open": FILE,
    "zipfile.ZipFile": FILE,
    "tarfile.open": FILE,
    "h5py.File": FILE,
    "tempfile.TemporaryFile": FILE,
    "tempfile.NamedTemporaryFile": FILE,
    "sqlite3.connect": CONNECTION,
    "psycopg2.connect": CONNECTION,
    "pymysql.connect": CONNECTION,
    "duckdb.connect": CONNECTION,
    "sqlalchemy.create_engine": CONNECTION,
    "socket.socket": CONNECTION,
    "ssl.create_default_context": CONNECTION,
    "concurrent.futures.ThreadPoolExecutor": POOL,
    "concurrent.futures.ProcessPoolExecutor": POOL,
    "multiprocessing.Pool": POOL,
    "numpy.random.default_rng": RANDOM,
    "numpy.random.RandomState": RANDOM,
    "numpy.poly1d": POLYNOMIAL,
    "numpy.recarray": RECORDS,
    **dict.fromkeys((f"numpy.{name}" for name in ("matrix", "asmatrix", "bmat")), MATRIX),
    **dict.fromkeys((f"numpy.{name}" for name in ("vectorize", "frompyfunc")), NO_ARRAY),
    **dict.fromkeys((f"numpy.{name}" for name in ("dtype", "finfo", "iinfo")), NO_ARRAY),
    **dict.fromkeys((f"re.{name}" for name in ("match", "search", "fullmatch")), MATCH),
    "random.Random": DRAWS,
    **dict.fromkeys(("keras.Input", "tensorflow.keras.Input"), KERAS_PART),
    **dict.fromkeys(
        ("object", "contextvars.ContextVar", "threading.Thread", "weakref.ref"), UNIQUE
    ),
    **dict.fromkeys(("threading.local", "memoryview", "typing.TypeVar"), UNIQUE),
    **dict.fromkeys(("hashlib.md5", "hashlib.sha1", "hashlib.sha256", "hashlib.new"), HASH),
    "sklearn.model_selection.cross_val_score": NUMPY,
    "threading.Lock": LOCK,
    "threading.RLock": LOCK,
    "threading.Semaphore": LOCK,
    "threading.Event": LOCK,
    "threading.Condition": LOCK,
    **dict.fromkeys(("iter", "zip", "map", "filter", "enumerate", "reversed"), ITERATOR),
    **dict.fromkeys(("csv.reader", "csv.DictReader", "os.scandir"), GENERATOR),
    **dict.fromkeys(("list", "dict", "set", "tuple", "str", "int", "float", "bool"), PLAIN),
    **dict.fromkeys(("len", "sorted", "range", "repr"), PLAIN),
}
# What methods of such objects give.
OF_METHODS = {
    (POOL, "submit"): FUTURE,
    **dict.fromkeys(((CONNECTION, one) for one in ("cursor", "execute", "connect")), CONNECTION),
}
# Modules of Keras with what a model is made of, each a class.
KERAS_PARTS = ("layers", "optimizers", "losses", "metrics", "callbacks", "initializers")
KERAS_BUILT = (".Sequential", ".Model")
KERAS_MODELS = (*KERAS_BUILT, ".load_model")
# Classes in these modules.
CLASSES = {"numpy.polynomial.": POLYNOMIAL, "numpy.random.": RANDOM}
# Functions of NumPy that give several arrays, or what the code does not tell.
SEVERAL = (
    *("numpy.unique", "numpy.where", "numpy.nonzero", "numpy.histogram", "numpy.meshgrid"),
    *("numpy.split", "numpy.array_split", "numpy.load"),
    *("numpy.shape", "numpy.ndim", "numpy.size", "numpy.array_equal", "numpy.allclose"),
    *("numpy.isscalar", "numpy.array2string", "numpy.can_cast", "numpy.broadcast_shapes"),
)
PREFIXES = {
    "numpy.ma.": MASKED,
    "numpy.rec.": RECORDS,
    "tensorflow.data.Dataset.": TF_DATA,
    "itertools.": ITERATOR,
    "numpy.": NUMPY,
}
KEEP_OBJECTS = tuple(f"numpy.{name}" for name in ("array", "asarray", "full", "empty", "zeros"))
OF_PANDAS = ("DataFrame", "Series", "concat", "merge", "get_dummies", "to_datetime", "to_numeric")
# Transformers of scikit-learn that give a NumPy array for a table.
DENSE = (
    *("StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler", "Normalizer", "PCA"),
    *("SimpleImputer", "KNNImputer", "PolynomialFeatures", "PowerTransformer", "Binarizer"),
    *("QuantileTransformer", "KBinsDiscretizer", "OrdinalEncoder", "LabelEncoder"),
)
# Methods of a table that give a table.
TABLE_METHODS = frozenset(
    """
    abs add append apply applymap assign astype bfill clip copy corr cumsum diff div drop
    drop_duplicates dropna explode ffill fillna filter groupby_agg head infer_objects interpolate
    isin isna isnull join map mask melt merge mul nlargest notna nsmallest pivot pivot_table pow
    query rank reindex rename replace reset_index round sample select_dtypes set_index shift
    sort_index sort_values stack sub tail to_frame transpose unstack where
    """.split()  # noqa: SIM905
)
