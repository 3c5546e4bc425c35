"""The functions that hooks on a part of a value use."""
from model import torch

START = MEANS = ATTENTION = SELECT = CAUSAL = KEYS = OTHER_VALUES = MEAN_OF_PROMPT = CUT = True

# --- script ---
# if START:

start = 0  # the position in the text of the context's first token
# end
# if MEANS:
means = {}
# end
# if ATTENTION:


def attention(name):
    return name.endswith(("hook_attn_scores", "hook_pattern"))
# end
# if SELECT:


def select(x, name, positions=None, head=None, last=None, rows=None):
    """The index of a part of x, and the place of each of its rows in the list of positions."""
    axis = 2 if attention(name) else 1
    listed = range(start + x.shape[axis]) if positions is None else positions
    pairs = [(p - start, place) for place, p in enumerate(listed) if 0 <= p - start < x.shape[axis]]
    pairs = [(row, place) for row, place in pairs if rows is None or place < rows]
    chosen = [list(range(n)) for n in x.shape]
    chosen[axis] = [row for row, _ in pairs]
    if head is not None:
        chosen[1 if attention(name) else 2] = head
    if last is not None:
        chosen[-1] = last
    part = torch.meshgrid(*[torch.tensor(c, dtype=torch.long) for c in chosen], indexing="ij")
    return part, [place for _, place in pairs]
# end
# if CAUSAL:


def causal(x, y, name):
    """Attention to later keys stays as it was."""
    return torch.where(torch.ones_like(x, dtype=torch.bool).tril(), y, x) if attention(name) else y
# end
# if KEYS:


def keys(values, x):
    """One value for each key of the context."""
    missing = max(0, start + x.shape[-1] - values.shape[-1])
    return torch.nn.functional.pad(values, (0, missing))[..., start : start + x.shape[-1]]
# end
# if OTHER_VALUES:


def other_values(values, x, part, places, name, rows=None):
    """The part of another run's values; rows says which of its positions stand for the selected ones."""
    axis = 2 if attention(name) else 1
    part = list(part)
    if rows is None:
        part[axis] = part[axis] + start
    else:
        shape = [-1 if a == axis else 1 for a in range(x.dim())]
        part[axis] = torch.tensor([rows[place] for place in places]).reshape(shape).expand_as(part[0])
    return (keys(values, x) if attention(name) else values)[tuple(part)]
# end
# if MEAN_OF_PROMPT:


def mean_of_prompt(x, key, prompt):
    if key not in means:
        means[key] = x[:, : max(1, prompt - start)].mean(1, keepdim=True)
    return means[key].expand_as(x)
# end
# if CUT:


def cut(x, name, edges, part, renormalize):
    """Without some attention edges; None means every query, or every key."""
    selected = torch.zeros_like(x, dtype=torch.bool)
    selected[part] = True
    length = x.shape[-1]
    for query, key in edges:
        gone = torch.zeros(length, length, dtype=torch.bool)
        for q in range(length) if query is None else [query - start]:
            for k in range(q + 1) if key is None else [key - start]:
                if 0 <= k <= q < length:
                    gone[q, k] = True
        x = torch.where(selected & gone, -torch.inf if name.endswith("scores") else 0.0, x)
        touched = selected & gone.any(-1, keepdim=True)
        if renormalize:
            total = x.sum(-1, keepdim=True)
            x = torch.where(touched, x / torch.where(total == 0, 1.0, total), x)
    return x
# end
