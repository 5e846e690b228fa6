"""Generated text between markers: <!-- name --> ... <!-- /name -->."""
import re


def replace_block(text: str, name: str, content: str) -> str:
    """Put ``content`` between the markers ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        ValueError: the markers are not there.
    """
    pattern = re.compile(rf'(<!-- {name} -->\n).*?(<!-- /{name} -->)', re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f'no block <!-- {name} --> in the text')
    return pattern.sub(lambda match: f'{match[1]}{content}\n{match[2]}', text)
