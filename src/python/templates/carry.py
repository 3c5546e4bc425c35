"""Lets a change at hook_resid_mid, which TransformerBridge shows only to the MLP, reach the residual stream."""

# --- script ---

carried = {}


def through(change):
    """A change at hook_resid_mid reaches the MLP; the residual stream beside it gets it after the block."""

    def both(x, hook, name):
        y = change(x, hook, name)
        carried[name] = carried.get(name, 0) + y - x
        return y

    return both


def carry(x, hook, name):
    return x + carried.pop(name, 0)

