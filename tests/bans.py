"""What no source of the course may hold: leftovers of Keras 2, paths of one machine, and what breaks a notebook."""

import ast
import re

GONE = {
    "ImageDataGenerator": "use keras.utils.image_dataset_from_directory, or arrays and augmentation layers",
    "fit_generator": "use fit",
    "evaluate_generator": "use evaluate",
    "predict_generator": "use predict",
    "predict_classes": "use predict and argmax",
    "np_utils": "use keras.utils.to_categorical",
    "ThresholdedReLU": "use keras.layers.ReLU(threshold=...)",
    "CuDNNLSTM": "use keras.layers.LSTM",
    "CuDNNGRU": "use keras.layers.GRU",
    "LocallyConnected1D": "it is gone since Keras 3",
    "LocallyConnected2D": "it is gone since Keras 3",
    "Convolution2D": "use Conv2D",
    "Merge": "use Add, Concatenate and their kin",
    "KerasClassifier": "use keras.wrappers.SKLearnClassifier",
    "KerasRegressor": "use keras.wrappers.SKLearnRegressor",
    "learning_phase": "pass training=...",
    "set_learning_phase": "pass training=...",
    "get_session": "there are no sessions any more",
    "get_weights_path": "it is gone since Keras 3",
}
GONE_MODULES = {
    "tensorflow.keras": "import keras",
    "tf.keras": "import keras",
    "keras.backend": "use keras.ops; of keras.backend only backend() and the float settings are left",
    "keras.preprocessing": "use keras.utils and augmentation layers",
    "keras.layers.experimental": "use keras.layers",
    "keras.optimizers.legacy": "use keras.optimizers",
    "keras.engine": "use keras",
    "keras.wrappers.scikit_learn": "use keras.wrappers",
}
LEFT_OF_BACKEND = {"backend", "epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx", "clear_session"}
GONE_ARGUMENTS = {
    "nb_epoch": "use epochs",
    "nb_filter": "use filters",
    "border_mode": "use padding",
    "subsample": "use strides",
    "dim_ordering": "use data_format",
    "samples_per_epoch": "use steps_per_epoch",
    "batch_input_shape": "start with keras.Input",
    "save_format": "name the file .keras",
}
OPTIMIZERS = {"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl"}
KEEPERS = {"save", "load_model", "save_model", "save_weights", "load_weights", "ModelCheckpoint"}
LAYERS = {"Dense", "Flatten", "Conv1D", "Conv2D", "Conv3D", "BatchNormalization", "LSTM", "GRU", "Activation"}
# The place at which a layer takes its stride, counting from 0.
STRIDE_PLACE = {
    "Conv1D": 2,
    "Conv2D": 2,
    "Conv3D": 2,
    "Conv1DTranspose": 2,
    "Conv2DTranspose": 2,
    "Conv3DTranspose": 2,
    "SeparableConv1D": 2,
    "SeparableConv2D": 2,
    "DepthwiseConv1D": 1,
    "DepthwiseConv2D": 1,
}
# In text: pattern, what to say.
PATTERNS = {
    r"http://(?!127\.0\.0\.1|localhost)": "plain http: write https",
    r"drive\.mount|from google\.colab import drive": "a Drive mount: the course fetches its own files",
    r"\bpip3? +install\b[^\n]*(?: -U\b| --upgrade\b)": "an upgrade of what is installed: install what is missing",
    r"%(?:load_ext +)?autoreload": "autoreload: restart the kernel instead",
}
MACHINE_PATH = r"(?<![\w.~:/\\-])(?:/(?:home|Users|root|tmp|content|mnt|opt|var|work)/|[A-Z]:\\)"


def offences(text, python=True, lab=False, paths=True):
    """What is banned in a source.

    Parameters
    ----------
    text : str
    python : bool
        Parse it; otherwise look at its text alone.
    lab : bool
        A lab, in which TensorFlow is not named.
    paths : bool
        Look for paths of one machine.

    Returns
    -------
    list of tuple
        (line from 1, what is wrong)
    """
    patterns = PATTERNS | ({MACHINE_PATH: "an absolute path"} if paths else {})
    found = [
        (text.count("\n", 0, match.start()) + 1, f"{match[0]!r}: {message}")
        for pattern, message in patterns.items()
        for match in re.finditer(pattern, text)
    ]
    if python:
        for node in ast.walk(ast.parse(text)):
            found += [(node.lineno, message) for message in _of_node(node, lab)]
    return sorted(set(found))


def _of_node(node, lab):
    """What is wrong with one node of the syntax tree."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _of_name(alias.name, lab)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield from _of_name(f"{node.module}.{alias.name}", lab)
    elif isinstance(node, ast.Attribute):
        yield from _of_name(_dotted(node), lab)
    elif isinstance(node, ast.Name) and node.id in GONE:
        yield f"{node.id}: {GONE[node.id]}"
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if node.value in ("acc", "val_acc"):
            yield f"{node.value!r}: the metric is called accuracy"


def _of_name(name, lab):
    """What is wrong with a dotted name, such as ``keras.backend.mean``."""
    last = name.rpartition(".")[2]
    if last in GONE:
        yield f"{name}: {GONE[last]}"
    for module, message in GONE_MODULES.items():
        inside = name == module or name.startswith(f"{module}.") or f".{module}." in f".{name}."
        if inside and not (module == "keras.backend" and last in LEFT_OF_BACKEND | {"backend"}):
            yield f"{name}: {message}"
    if lab and re.match(r"(tensorflow|tf)(\.|$)", name):
        yield f"{name}: a lab uses keras and keras.ops, TensorFlow is for utils"


def _dotted(node):
    """The dotted name of an attribute, as far as it is one."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _of_call(node):
    name = _dotted(node.func).rpartition(".")[2]
    place = STRIDE_PLACE.get(name)
    plain = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
    if place is not None and len(plain) > place:
        yield f"{name}: its stride is given by position, write strides=..."
    if name in KEEPERS:
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            for file in (n.value for n in ast.walk(argument) if isinstance(n, ast.Constant)):
                if isinstance(file, str) and re.search(r"(?<!\.weights)\.(h5|hdf5)$", file):
                    yield f"{file!r}: models are kept as .keras, weights as .weights.h5"
    for keyword in node.keywords:
        if keyword.arg in GONE_ARGUMENTS:
            yield f"{keyword.arg}: {GONE_ARGUMENTS[keyword.arg]}"
        if name in ("fit", "evaluate", "predict") and keyword.arg in ("workers", "use_multiprocessing"):
            yield f"{keyword.arg} of {name}: it belongs to the data set since Keras 3"
        if name in OPTIMIZERS and keyword.arg in ("lr", "decay"):
            yield f"{keyword.arg} of {name}: use learning_rate, which may be a schedule"
        if name in LAYERS and keyword.arg in ("input_shape", "input_dim"):
            yield f"{keyword.arg} of {name}: start with keras.Input"
