"""Replacement of generated text: marked blocks of documents and docstring lines of configs."""
import re
from collections.abc import Mapping


def paper(text: str) -> str:
    """Return the number that the paper reports, or ''."""
    found = re.search(r'^Paper: +(.*)$', text, re.MULTILINE)
    return found[1] if found and found[1] != 'not reported' else ''


def paper_with_options(text: str) -> dict[str, str]:
    """Return the paper's numbers of this config with options, by option."""
    return dict(re.findall(r'^ +(\S+=\S+)  +(\d.*)$', text, re.MULTILINE))


def replace_result_line(text: str, line: str) -> str:
    """Replace the ``Result:`` line."""
    return re.sub(r'^(Result: +).*$', lambda match: match[1] + line, text, count=1, flags=re.MULTILINE)


def replace_block(text: str, name: str, content: str) -> str:
    """Replace the text between the markers ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        ValueError: the markers are missing.
    """
    pattern = re.compile(rf'(<!-- {name} -->\n).*?(<!-- /{name} -->)', re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f'no block <!-- {name} --> in the text')
    return pattern.sub(lambda match: f'{match[1]}{content}\n{match[2]}', text)


def replace_blocks(text: str, blocks: Mapping[str, str]) -> str:
    """Put the content of each named block between its markers."""
    for name, content in blocks.items():
        text = replace_block(text, name, content)
    return text
