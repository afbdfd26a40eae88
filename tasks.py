"""Every command, grouped by what people want. What each takes: the function of its name in the module of its group.

`invoke` shows them, `invoke TASK --help` explains one.
"""

from front import tasks_build as building
from front import tasks_keep as keeping
from front import tasks_look as looking
from front import tasks_prove as proving
from front import tasks_try as trying
from front.door.program import opened

namespace = opened(
    __file__,
    {
        "Build wheels": (
            building.build_dml,
            building.build,
            building.fetch,
            building.build_ort,
            building.stage,
            building.build_genai,
            building.wheel,
            building.lock,
            building.index,
            building.recipe_new,
        ),
        "Prove that they compute the right thing": (
            proving.audit,
            proving.smoke,
            proving.bisect,
            proving.reference,
            proving.bundle,
            proving.compare,
            proving.history,
            trying.generate,
            trying.export,
            trying.heal,
            trying.npu_check,
        ),
        "Look": (
            looking.backends,
            looking.advise,
            looking.model,
            looking.recipes,
            looking.doctor,
            looking.bench,
            looking.version,
        ),
        "Keep this machine": (
            keeping.wine_setup,
            keeping.wine_clean,
            keeping.wine_python,
            keeping.clean,
        ),
    },
)
