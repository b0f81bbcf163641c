"""Quantizes a float network: `python -m ncnn_peakmem.conversion.quantization PARAM BIN INT8_PARAM INT8_BIN`.

A process of its own, because ncnn runs in it, which may crash. Refuses what cannot be used in words.
"""

from __future__ import annotations

from pathlib import Path

import click

from ncnn_peakmem.conversion.bench import refuse
from ncnn_peakmem.conversion.quantization.command import MODULE
from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.input_option import InputOption
from ncnn_peakmem.conversion.quantization.quantizer import quantize
from ncnn_peakmem.model_bin import ModelBinError
from ncnn_peakmem.network import Calibration, CalibrationMethod, InputBlob
from ncnn_peakmem.param_file import ParamFileError

_FILE = click.Path(path_type=Path)
_DEFAULT = Calibration()


@click.command()
@click.argument("param", type=_FILE)
@click.argument("weights", metavar="BIN", type=_FILE)
@click.argument("out_param", metavar="INT8_PARAM", type=_FILE)
@click.argument("out_bin", metavar="INT8_BIN", type=_FILE)
@click.option("--input", "blobs", type=InputOption(), multiple=True, required=True, help="in0=3,224,224")
@click.option("--method", type=click.Choice([method.value for method in CalibrationMethod]))
@click.option("--inputs", type=int, help="how many are calibrated on")
@click.option("--data", type=_FILE, help="a folder of .npy arrays or images, in place of generated inputs")
@click.option("--table", type=_FILE, help="scales as ncnn2table writes them, in place of calibration")
@click.option("--gemm", is_flag=True, help="quantize Gemm too, which ncnn reads since 1.0.20241226")
@click.option("--plain", is_flag=True, help="let each layer hand on floats")
@click.option("--out-table", type=_FILE, help="write the scales there")
@click.option("--report", type=_FILE, help="write what was done there, as JSON")
def main(
    param: Path,
    weights: Path,
    out_param: Path,
    out_bin: Path,
    blobs: tuple[InputBlob, ...],
    method: str | None,
    inputs: int | None,
    data: Path | None,
    table: Path | None,
    gemm: bool,
    plain: bool,
    out_table: Path | None,
    report: Path | None,
) -> None:
    """Quantize a float network's ncnn files to int8."""
    calibration = Calibration(
        CalibrationMethod(method) if method else _DEFAULT.method,
        data,
        _DEFAULT.inputs if inputs is None else inputs,
        table,
    )
    try:
        done = quantize(
            param,
            weights,
            blobs,
            calibration,
            out_param,
            out_bin,
            gemm=gemm,
            out_table=out_table,
            requantize=not plain,
        )
        if report:
            report.write_text(done.to_json(), encoding="utf-8")
    except (QuantizationError, ParamFileError, ModelBinError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    click.echo(
        f"{len(done.quantized)} layers are int8, {len(done.requantized)} of them hand on integers; "
        f"{len(done.left)} stay float"
    )


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
