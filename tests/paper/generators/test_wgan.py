"""WGAN: networks, training, exact resume and validation of files."""
import os
import signal

import cv2
import pytest
import torch
from helpers import tiny

from isda_seg.paper.generators import wgan_training
from isda_seg.paper.generators.dcgan import Critic, DCGANGenerator
from isda_seg.paper.generators.gan_training import train
from isda_seg.paper.generators.generator import sample_codes
from isda_seg.paper.generators.saved_generator import read_generator, read_training, write_images
from isda_seg.paper.generators.wgan_training import WGANSettings, WGANTraining

pytestmark = tiny.on_cpu

SETTINGS = WGANSettings(z_dim=5, width=2, batch=4, eager_critic_steps=3, critic_steps=2)


def images(count=12, seed=0):
    return torch.randint(256, (count, 3, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def trained(steps, settings=SETTINGS, of=None, state=None):
    training = WGANTraining(images() if of is None else of, settings)
    if state is not None:
        training.load_state_dict(state)
    for _ in range(steps):
        training.step()
    return training


@pytest.mark.parametrize('resolution, widths', [(8, [64]), (32, [256, 128, 64]), (64, [512, 256, 128, 64])])
def test_network_widths_equal_those_of_dcgan(resolution, widths):
    generator, critic = DCGANGenerator(resolution), Critic(resolution)
    assert [layer.out_channels for layer in generator.layers if isinstance(layer, torch.nn.ConvTranspose2d)] == [
        *widths, 3]
    assert [layer.out_channels for layer in critic if isinstance(layer, torch.nn.Conv2d)] == [*widths[::-1], 1]
    generated = generator(sample_codes(2, 100, seed=0))
    assert (generated.shape, critic(generated).shape) == ((2, 3, resolution, resolution), (2, 1))
    assert float(generated.detach().abs().max()) <= 1


def test_greyscale_images_train_one_channel_and_generate_three():
    training = trained(1, of=images()[:, :1].expand(-1, 3, -1, -1))
    assert training.shape['channels'] == training.critic[0].in_channels == 1
    generated = training.generator(sample_codes(2, 5, seed=0))
    assert torch.equal(generated, generated[:, 1:2].expand(2, 3, 8, 8))


def test_resume_is_bitwise_exact():
    whole = trained(4)
    torch.randn(7)  # what else is drawn in between does not matter
    first = trained(2).state_dict()
    assert tiny.differing(tiny.flat(trained(2, state=first).state_dict()), tiny.flat(whole.state_dict())) == []
    assert tiny.differing(tiny.flat(first['generator']), tiny.flat(whole.generator.state_dict())) != []
    other = trained(4, SETTINGS._replace(seed=1))
    assert not torch.equal(other.generator.layers[1].weight, whole.generator.layers[1].weight)


def test_a_signal_ends_the_training_after_a_step_that_is_saved(tmp_path, monkeypatch, capsys):
    out, before = tmp_path / 'g.pth', signal.getsignal(signal.SIGUSR1)
    step = WGANTraining.step

    def signalled(training):
        if training.steps == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        step(training)

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(WGANTraining, 'step', signalled)
        train(trained(0), out, 5, 100)
    assert end.value.code == 128 + signal.SIGUSR1
    assert f'received SIGUSR1: saved {out} after step 2. Run the same command to continue' in capsys.readouterr().out
    signal.signal(signal.SIGUSR1, before)
    assert torch.load(out)['steps'] == 2
    train(trained(0), out, 5, 100)
    assert tiny.differing(tiny.flat(torch.load(out)), tiny.flat(trained(5).state_dict())) == []
    assert signal.getsignal(signal.SIGUSR1) == before


def test_critic_steps_and_clipping_follow_the_settings(monkeypatch):
    monkeypatch.setattr(wgan_training, 'EAGER_STEPS', 2)
    monkeypatch.setattr(wgan_training, 'EAGER_EVERY', 4)
    training, taken = WGANTraining(images(), SETTINGS), []
    before = training.optimizers[1].step
    training.optimizers[1].step = lambda: (taken.append(training.steps), before())
    for _ in range(6):
        training.step()
    assert [taken.count(step) for step in range(6)] == [3, 3, 2, 2, 3, 2]
    assert max(float(weight.detach().abs().max()) for weight in training.critic.parameters()) <= SETTINGS.clip


def test_generated_images_approach_the_data():
    training = WGANTraining(torch.full((12, 3, 8, 8), 255, dtype=torch.uint8), SETTINGS._replace(lr=1e-2))
    codes = sample_codes(8, 5, seed=0)
    before = float(training.generator(codes).mean())
    for _ in range(40):
        training.step()
    assert abs(before) < 0.1 and float(training.generator(codes).mean()) > 0.8


def test_saved_generator_is_restored_and_writes_its_images(tmp_path):
    training = trained(2)
    torch.save(training.state_dict(), tmp_path / 'wgan.pth')
    generator, codes = read_generator(tmp_path / 'wgan.pth'), sample_codes(3, 5, seed=4)
    assert torch.equal(generator(codes), training.generator.eval()(codes))
    write_images(generator, tmp_path / 'cat', 3, seed=4)
    written = [cv2.imread(str(tmp_path / 'cat' / f'{number:05d}.png'))[..., ::-1].copy() for number in range(3)]
    expected = (255 * generator.images(codes).detach()).round().permute(0, 2, 3, 1).to(torch.uint8)
    assert torch.equal(torch.stack([torch.from_numpy(image) for image in written]), expected)


def test_invalid_options_and_sizes_are_errors(tmp_path):
    with pytest.raises(ValueError, match='8, 16, 32, ... pixels, got 12'):
        DCGANGenerator(12)
    with pytest.raises(ValueError, match='a batch of 4 needs as many images, got 3'):
        WGANTraining(images(3), SETTINGS)
    with pytest.raises(ValueError, match=r'square images \(N, 3, H, H\) expected, got \(12, 3, 8, 4\)'):
        WGANTraining(images()[..., :4], SETTINGS)
    training = trained(1)
    with pytest.raises(ValueError, match='trained with other values of seed, images'):
        WGANTraining(images(seed=1), SETTINGS._replace(seed=1)).load_state_dict(training.state_dict())
    write_images(training.generator, tmp_path / 'cat', 3)
    with pytest.raises(FileExistsError, match='cat contains other images, such as 00002.png. Remove them or set'):
        write_images(training.generator, tmp_path / 'cat', 2)
    with pytest.raises(FileNotFoundError, match='the generator .*none.pth does not exist'):
        read_generator(tmp_path / 'none.pth')
    torch.save(dict(state_dict={}), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='other.pth was not written by tools/train_generator.py: missing kind, '):
        read_training(tmp_path / 'other.pth')
    (tmp_path / 'half.pth').write_bytes(b'half')
    with pytest.raises(ValueError, match='half.pth is damaged or was not written'):
        read_training(tmp_path / 'half.pth')
