"""One intervention as a hook function."""
from helpers import select

STATEMENT = RESULT = VALUES_BY_POINT = SELECTION = ...
VALUES = "values_0"

# --- script ---
# if VALUES:

VALUES = {
    VALUES_BY_POINT
}
# end


def CHANGE(x, hook, name):
    part, places = select(SELECTION)
    y = x.clone()
    STATEMENT
    return RESULT

