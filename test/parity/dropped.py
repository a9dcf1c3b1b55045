"""DropBP in torch: a dropped branch gives x + f(x).detach(). Written from the paper's rule, not from the library."""

import torch
from tasks import Task


def branches(model) -> list[torch.nn.Module]:
    """The modules whose outputs enter the residual stream, in order: attention, mlp, attention, …"""
    encoder = getattr(getattr(model, "base_model", model), "model", model)
    if hasattr(encoder, "encoder"):
        # Behind these, BERT adds the stream and normalises.
        return [branch for layer in encoder.encoder.layer for branch in (layer.attention.output.dense, layer.output.dense)]
    inner = getattr(getattr(model, "base_model", model), "model", model)  # PEFT wraps the model twice
    inner = inner if hasattr(inner, "lm_head") else model
    if hasattr(inner, "transformer"):
        return [branch for block in inner.transformer.h for branch in (block.attn, block.mlp)]
    if hasattr(inner, "gpt_neox"):
        return [branch for layer in inner.gpt_neox.layers for branch in (layer.attention, layer.mlp)]
    return [branch for layer in inner.model.layers for branch in ends(layer)]


def ends(layer: torch.nn.Module) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The last module of each branch: a norm, where what a branch adds is normalised."""
    if hasattr(layer, "post_mlp_layernorm"):
        return layer.post_self_attn_layernorm, layer.post_mlp_layernorm
    if hasattr(layer, "post_feedforward_layernorm"):
        return layer.post_attention_layernorm, layer.post_feedforward_layernorm
    return layer.self_attn, getattr(layer, "block_sparse_moe", None) or layer.mlp


def num_branches(model) -> int:
    return len(branches(model))


def gradients_with_dropped(model, task: Task, dropped: list[bool]) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss on the first batch, and the gradient of every parameter that has one."""
    hooks = [
        branch.register_forward_hook(detach) for branch, drop in zip(branches(model), dropped, strict=True) if drop
    ]
    loss = task.loss(model, 0)
    if loss.requires_grad:
        loss.backward()
    for hook in hooks:
        hook.remove()
    gradients = {name: p.grad.contiguous() for name, p in model.named_parameters() if p.grad is not None}
    return loss.item(), gradients


def detach(_module, _inputs, output):
    if isinstance(output, tuple):
        return (output[0].detach(), *output[1:])
    return output.detach()
