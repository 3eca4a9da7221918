//! Modbus: pymodbus at both ends.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "modbus.pcap",
    holds: "Modbus over TCP: coils and registers are read and written, a device is identified and diagnosed, registers that \
            are not there are refused, and a unit that is not there is silent.",
    stamps: Stamps::Micro,
    make: registers,
    then: Then::Keep,
    expected: &[
        ("modbus.func_code == 3", 4),
        ("modbus.func_code == 23", 2),
        ("modbus.func_code == 43", 2),
        ("modbus.exception_code == 2", 1),
        ("mbtcp.unit_id == 5", 1),
    ],
}];

const SERVER: &str = "\
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server import StartTcpServer

tables = {name: ModbusSequentialDataBlock(1, [17] * 100) for name in ('di', 'co', 'hr', 'ir')}
units = ModbusServerContext(slaves={17: ModbusSlaveContext(**tables)}, single=False)
device = ModbusDeviceIdentification(info_name={'VendorName': 'Flow', 'ProductCode': 'F1'})
StartTcpServer(context=units, identity=device, address=('10.77.0.2', 502))
";

const CLIENT: &str = "\
from pymodbus.client import ModbusTcpClient
from pymodbus.diag_message import ReturnQueryDataRequest
from pymodbus.mei_message import ReadDeviceInformationRequest
from pymodbus.other_message import ReadExceptionStatusRequest, ReportSlaveIdRequest

with ModbusTcpClient('10.77.0.2', timeout=1, retries=0) as client:
    client.read_coils(3, 10, slave=17)
    client.read_discrete_inputs(0, 3, slave=17)
    client.read_holding_registers(10, 3, slave=17)
    client.read_input_registers(0, 2, slave=17)
    client.write_coil(4, True, slave=17)
    client.write_register(5, 1234, slave=17)
    client.write_coils(1, [True, False, True], slave=17)
    client.write_registers(7, [10, 258], slave=17)
    client.mask_write_register(address=4, and_mask=0xf2, or_mask=0x25, unit=17)
    client.readwrite_registers(
        read_address=3, read_count=2, write_address=14, write_registers=[255, 1], unit=17)
    for request in (
            ReadExceptionStatusRequest, ReportSlaveIdRequest, ReturnQueryDataRequest,
            ReadDeviceInformationRequest):
        client.execute(request(unit=17))
    client.read_holding_registers(1000, 2, slave=17)
    client.read_coils(3, 10, slave=5)
";

fn registers(lab: &mut Lab) -> Result<()> {
    lab.file("server.py", SERVER)?;
    lab.file("client.py", CLIENT)?;
    lab.server("tcp/502", "/usr/bin/python3 server.py")?;
    lab.client("/usr/bin/python3 client.py")
}
