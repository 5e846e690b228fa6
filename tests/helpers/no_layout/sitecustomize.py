"""In the place of yapf, for processes with this folder on their path: a config is saved as it comes, unformatted."""
import sys
import types

for name in ('yapf', 'yapf.yapflib', 'yapf.yapflib.yapf_api'):
    sys.modules[name] = types.ModuleType(name)
sys.modules['yapf.yapflib.yapf_api'].FormatCode = lambda text, **_: (text, False)
sys.modules['yapf'].__version__ = '0.43.0'
