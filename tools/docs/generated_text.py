"""Text that is generated, in its place: blocks between markers, and what the docstring of a config says."""
import re
from collections.abc import Mapping


def paper(text: str) -> str:
    """The number that the paper reports; '' where it reports none."""
    found = re.search(r'^Paper: +(.*)$', text, re.MULTILINE)
    return found[1] if found and found[1] != 'not reported' else ''


def paper_with_options(text: str) -> dict[str, str]:
    """The paper's numbers of the rows that are this config and options, by the options."""
    return dict(re.findall(r'^ +(\S+=\S+)  +(\d.*)$', text, re.MULTILINE))


def replace_result_line(text: str, line: str) -> str:
    """Set the ``Result:`` line."""
    return re.sub(r'^(Result: +).*$', lambda match: match[1] + line, text, count=1, flags=re.MULTILINE)


def replace_block(text: str, name: str, content: str) -> str:
    """Put ``content`` between the markers ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        ValueError: the markers are not there.
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
