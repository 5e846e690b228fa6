"""What the docstring of a config says: the paper's numbers, and the result."""
import re


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
