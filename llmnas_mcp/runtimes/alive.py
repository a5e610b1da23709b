"""A network as it is worth writing to a file: only what its output depends on, for any number of images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from llmnas_mcp.errors import LabError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.fx import Graph, GraphModule, Node


def alive(network: nn.Module, x: Tensor) -> nn.Module:
    """The same function of images as a graph of torch's operators, without those that compute nothing.

    That is what leads nowhere, and what only ever reads zeros, as a convolution may that stands behind `none` in
    NAS-Bench-201. (If its batch normalisation learned to shift zeros, it adds a constant, which is worked out here.)

    network: in evaluation mode. x: an input, (batch, ...), of two images at least. Raises LabError where torch cannot
    write the network as a graph, or the graph holds for one number of images only.
    """
    import torch

    try:
        program = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    except Exception as error:  # it runs the network's own code, which may raise anything
        what = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise LabError(
            "The network cannot be exported: torch.export does not write it as a graph for any number of images"
            f" ({what[:300]}). Its forward may not branch on values, and takes the number of images from x.shape[0],"
            " not from len(x)."
        ) from error
    module = program.module()
    graph = module.graph
    _leave_out_zeros(module)
    _make_plain(graph)
    return torch.fx.GraphModule(module, graph)


def _leave_out_zeros(module: GraphModule) -> None:
    """Take additions of zeros out of a graph, and make constants of what comes from zeros only."""
    import torch

    graph = module.graph
    if any(_changes_its_input(node) for node in graph.nodes):
        return
    fixed = _fixed(module)
    for node in list(graph.nodes):
        if node.target is not torch.ops.aten.add.Tensor or node in fixed or node.kwargs:
            continue
        one, other = node.args
        if other in fixed:
            one, other = other, one
        if one not in fixed:
            continue
        if not fixed[one].any() and _shape(other) == _shape(node):
            node.replace_all_uses_with(other)
            graph.erase_node(node)
        else:
            name = f"constant_{one.name}"
            module.register_buffer(name, fixed[one])
            with graph.inserting_before(node):
                node.replace_input_with(one, graph.get_attr(name))


def _fixed(module: GraphModule) -> dict[Node, Tensor]:
    """The nodes that are made of zeros and weights alone, whatever the input: what each is for one image."""
    import torch
    from torch.fx.node import map_arg

    zeros = (torch.ops.aten.zeros_like.default, torch.ops.aten.zeros.default, torch.ops.aten.new_zeros.default)
    weights: dict[Node, Tensor] = {}
    fixed: dict[Node, Tensor] = {}

    def value(node: Node) -> Tensor:
        return fixed[node] if node in fixed else weights[node]

    for node in module.graph.nodes:
        before = node.all_input_nodes
        if node.op == "get_attr":
            weights[node] = _attribute(module, node.target)
        elif node.target in zeros:
            sizes = _shape(node)
            if sizes and all(isinstance(size, int) for size in sizes[1:]):
                images = sizes[0] if isinstance(sizes[0], int) else 1
                fixed[node] = torch.zeros(images, *sizes[1:], dtype=node.meta["val"].dtype)
        elif (
            node.op == "call_function"
            and any(one in fixed for one in before)
            and all(one in fixed or one in weights for one in before)
        ):
            with torch.no_grad():
                found = node.target(*map_arg(node.args, value), **map_arg(node.kwargs, value))
            if isinstance(found, torch.Tensor):
                fixed[node] = found
    return fixed


def _make_plain(graph: Graph) -> None:
    """Leave of a program's graph what computes: one input, one output, sizes as any tracer reads them."""
    import torch
    from torch.fx.graph import CodeGen

    for node in list(graph.nodes):
        name = str(node.target)
        if node.target is torch.ops.aten.sym_size.int:
            for user in node.users:
                _make_method(user)
            _make_method(node, "size")
        elif not node.users and ("_guards_fn" in name or "assert" in name or "sym_constrain" in name):
            graph.erase_node(node)
    (output,) = (node for node in graph.nodes if node.op == "output")
    if isinstance(output.args[0], Iterable):
        output.args = tuple(output.args[0])
    graph.set_codegen(CodeGen())
    graph.eliminate_dead_code()


def _make_method(node: Node, method: str = "") -> None:
    """Make a call of an operator one of a tensor's method, which a trace does not take a size for a constant in."""
    import torch

    schema = getattr(node.target, "_schema", None)
    name = method or (schema.name.removeprefix("aten::") if schema else "")
    if name and hasattr(torch.Tensor, name):
        node.op, node.target = "call_method", name


def _changes_its_input(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _shape(node: Any) -> tuple[Any, ...]:
    """The sizes of what a node gives, of which that of the batch is a symbol; empty where that is no tensor."""
    return tuple(getattr(getattr(node, "meta", {}).get("val"), "shape", ()))


def _attribute(module: nn.Module, path: Any) -> Any:
    found: Any = module
    for name in str(path).split("."):
        found = getattr(found, name)
    return found
