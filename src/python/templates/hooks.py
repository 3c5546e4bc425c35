"""The list of hooks that carry out the interventions."""

HELPERS = CHANGES = CARRY = LIST = ...

# --- script ---
HELPERS
CHANGES
CARRY
# if LIST:
hooks = [
    LIST
]
# else:
hooks = []
# end
