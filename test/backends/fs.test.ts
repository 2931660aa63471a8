import { backendContract } from '../backend-contract';
import { makeFsWorld } from './helpers/fs-world';

backendContract('fs', makeFsWorld);
