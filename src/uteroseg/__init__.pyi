from uteroseg.dataset.store import Dataset as Dataset
from uteroseg.errors import UserError as UserError
from uteroseg.imaging.geometry import Geometry as Geometry
from uteroseg.imaging.study import DwiStudy as DwiStudy
from uteroseg.imaging.study import Mask as Mask
from uteroseg.library import adapt as adapt
from uteroseg.library import evaluate as evaluate
from uteroseg.library import read_dicom as read_dicom
from uteroseg.library import read_nifti as read_nifti
from uteroseg.library import simulate as simulate
from uteroseg.library import train as train
from uteroseg.model.ensemble import open_model as open_model
from uteroseg.model.prediction import Prediction as Prediction
from uteroseg.model.prediction import predict as predict

__version__: str
RESEARCH_USE: str
