"""The operators of a TFLite file."""

from collections import Counter

from reelflow.errors import BundleError

# A recurrent head as a loop has about 40 operators; unrolled it has 20 for every frame.
MAX_OPERATORS = 400
# A ConvLSTM has 11 operators a step; those of 16 frames take 8, 4 or 2 steps.
VIDEO_OPERATORS = 4000


def count_operators(model: bytes) -> Counter[str]:
    """Count the operators of a TFLite file; custom operators by their own name.

    Flex operators, which need TensorFlow on the device, are custom ones that begin with `Flex`.
    """
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    parsed = schema.ModelT.InitFromPackedBuf(model)
    codes = [
        code.customCode.decode()
        if code.customCode
        else names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in parsed.operatorCodes
    ]
    return Counter(codes[operator.opcodeIndex] for graph in parsed.subgraphs for operator in graph.operators)


def check_operators(model: bytes, name: str, most: int = MAX_OPERATORS) -> None:
    """Check that a device can run a TFLite file: built-in operators only, no unrolled loop.

    Args:
        model: the file.
        name: for the error.
        most: operators.

    Raises:
        BundleError: it has a custom operator or an unrolled loop.
    """
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    found = count_operators(model)
    if foreign := sorted(operator for operator in found if not hasattr(BuiltinOperator, operator)):
        raise BundleError(
            f"{name} needs {', '.join(foreign)}, which no device has; expected built-in operators only: "
            "choose another head or backbone"
        )
    if found.total() > most:
        raise BundleError(
            f"{name} has {found.total()} operators, expected at most {most}: a loop was unrolled"
        )
