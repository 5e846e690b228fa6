"""A config's docstring is read for the paper's numbers and written for the result, and nothing else of it changes."""
from docs.generated_text import paper, paper_with_options, replace_result_line

TEXT = """A title, with lambda_0=0.5  5 times.

Paper:     14.38 % test error
Table 6:   the other rows, by --cfg-options
           train_dataloader.dataset.num_labels=2000  11.52 % test error
           default_hooks.isda.ramp=constant          9.72 % test error
           model.loss.covariance=diagonal
Result:    something old
"""


def test_the_papers_number_is_parsed_or_absent():
    assert paper(TEXT) == '14.38 % test error'
    assert paper('Paper:     not reported\n') == paper('Title.\n') == ''


def test_the_papers_numbers_of_config_options_are_parsed():
    assert paper_with_options(TEXT) == {'train_dataloader.dataset.num_labels=2000': '11.52 % test error',
                                        'default_hooks.isda.ramp=constant': '9.72 % test error'}


def test_only_the_result_line_is_replaced():
    assert replace_result_line(TEXT, 'new') == TEXT.replace('something old', 'new')
