from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.settings import Settings


def test_every_setting_that_changes_a_study_changes_its_key():
    settings = [
        Settings("uterine", 1),
        Settings("uterine", 2),
        Settings("cervical", 1),
        Settings("uterine", 1, Acquisition(matrix=(48, 48), spacing_mm=5)),
        Settings("uterine", 1, Acquisition(snr=20)),
        Settings("uterine", 1, Acquisition(b_values=(0, 500, 1000))),
        Settings("uterine", 1, randomise=True),
        Settings("uterine", 1, tumour_free=0.99),
    ]
    assert len({one.study_key(9) for one in settings}) == len(settings)
