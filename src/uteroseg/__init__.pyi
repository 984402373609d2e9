from uteroseg.imaging.geometry import Geometry as Geometry
from uteroseg.imaging.study import DwiStudy as DwiStudy
from uteroseg.imaging.study import Mask as Mask
from uteroseg.model.ensemble import open_model as open_model
from uteroseg.model.prediction import predict as predict

__version__: str
RESEARCH_USE: str
